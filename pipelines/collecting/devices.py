"""From the User-Agent header to the kind of device, by the patterns of ua-parser."""

from functools import lru_cache

from ua_parser import parse

MAX_CHARACTERS = 512  # patterns are not run over more
_DESKTOPS = {"Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian", "Chrome OS", "FreeBSD", "OpenBSD"}
_HANDHELDS = {"Android", "iOS", "HarmonyOS", "Windows Phone", "KaiOS", "BlackBerry OS"}


def device_type(user_agent: str) -> str | None:
    """Return desktop, mobile, tablet, tv or bot; None where the patterns do not tell.

    An iPad that says it is a Mac counts as desktop: the header has nothing else.
    """
    return _known(user_agent[:MAX_CHARACTERS]) if user_agent else None


@lru_cache(maxsize=8_192)
def _known(user_agent: str) -> str | None:
    found = parse(user_agent)
    family = found.device.family if found.device else ""
    system = found.os.family if found.os else ""
    if family == "Spider":
        return "bot"
    if "TV" in family.upper().replace("APPLETV", "TV") or system in ("tvOS", "webOS", "Tizen", "Roku"):
        return "tv"
    if system in _HANDHELDS:
        # Google asks makers of Android tablets to leave "Mobile" out.
        is_tablet = "iPad" in family or "Tablet" in user_agent or (system == "Android" and "Mobile" not in user_agent)
        return "tablet" if is_tablet else "mobile"
    return "desktop" if system in _DESKTOPS else None
