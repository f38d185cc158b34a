"""Every Redis key, once. Braces are the cluster hash tag: all keys of a user lie in one slot."""


def profile_key(user: str) -> str:
    return f"profile:{{{user}}}"


def list_key(user: str) -> str:
    return f"list:{{{user}}}"


MODEL_HEAD = "model:head"  # the lineage in use


def snapshot_key(lineage: str) -> str:
    return f"model:{{{lineage}}}:snapshot"


def patches_key(lineage: str) -> str:
    return f"model:{{{lineage}}}:patches"


def heartbeat_key(job: str) -> str:
    return f"heartbeat:{job}"
