"""Downloads jars with the Ivy that Spark ships: no Maven, no build tool."""

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pyspark

from pipelines.errors import ServerError
from pipelines.local.java import java_executable

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of about how many
ABOUT_JARS = 57  # what the present coordinates need; only the progress depends on it
SPARK_JARS = Path(pyspark.__file__).parent / "jars"


def download(coordinates: Mapping[str, list[str]], folder: Path, cache: Path, progress: Progress) -> None:
    """Put the jars of each group of `coordinates` and all they need into `folder`/<group>/.

    Of the group `spark`, what Spark has already is left out. Raises ServerError when a jar cannot be had; `cache` keeps
    what was downloaded for the next try.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description, log = folder / "ivy.xml", folder.parent / "ivy.log"
    description.write_text(ivy_description(coordinates, _names_in_spark()), encoding="utf-8")
    command = [
        str(java_executable()), "-cp", f"{SPARK_JARS}/*", "org.apache.ivy.Main",
        "-ivy", str(description), "-cache", str(cache), "-confs", *coordinates,
        "-retrieve", f"{folder}/[conf]/[artifact]-[revision](-[classifier]).[ext]",
    ]  # fmt: skip
    if _run(command, log, progress) != 0:
        raise ServerError(_explain(log))


def ivy_description(coordinates: Mapping[str, list[str]], names_in_spark: Iterable[str]) -> str:
    """Return the ivy.xml of `coordinates`: group → ["organisation:name:version"].

    Raises ServerError for one that is not of that form.
    """
    confs = "".join(f"<conf name={quoteattr(group)}/>" for group in coordinates)
    dependencies = "".join(_dependency(c, group) for group, several in coordinates.items() for c in several)
    excludes = "".join(f'<exclude org="*" module={quoteattr(name)} conf="spark"/>' for name in sorted(names_in_spark))
    # Spark's own Hadoop is shaded into hadoop-client-api and -runtime; a second one beside it breaks it.
    excludes += '<exclude org="*" module="hadoop-client.*" matcher="regexp" conf="spark"/>'
    return (
        '<ivy-module version="2.0"><info organisation="liveshelf" module="jars"/>'
        f"<configurations>{confs}</configurations><dependencies>{dependencies}{excludes}</dependencies></ivy-module>"
    )


def _dependency(coordinate: str, group: str) -> str:
    parts = coordinate.split(":")
    if len(parts) != 3 or not all(parts):
        raise ServerError(
            f"'{coordinate}' in the Spark defaults is no jar coordinate; expected organisation:name:version"
        )
    org, name, version = map(quoteattr, parts)
    return f"<dependency org={org} name={name} rev={version} conf={quoteattr(group + '->default')}/>"


def _names_in_spark() -> set[str]:
    """Artifact names of the jars in pyspark.

    Where "name-version.jar" can be read in two ways (log4j-1.2-api-2.25.4, zstd-jni-1.5.7-7) both readings are in: the
    wrong one names no artifact that anybody needs.
    """
    stems = [jar.stem for jar in SPARK_JARS.glob("*.jar")]
    return {stem[: dash.start()] for stem in stems for dash in re.finditer(r"-(?=\d)", stem)}


def _run(command: list[str], log: Path, progress: Progress) -> int:
    n_found = n_downloaded = 0
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in process.stdout or ():
                file.write(line)
                if line.startswith("\tfound "):
                    n_found += 1
                    progress("jars looked up", n_found, max(n_found, ABOUT_JARS))
                elif "[SUCCESSFUL ]" in line and ".jar" in line:
                    n_downloaded += 1
                    progress("jars downloaded", n_downloaded, max(n_downloaded, n_found))
            return process.wait()
        finally:
            process.kill()  # Ctrl-C in the middle; does nothing to a process that has ended


def _explain(log: Path) -> str:
    text = log.read_text(encoding="utf-8")
    missing = sorted(set(re.findall(r"^\s*::\s+([^\s#]+#[^\s:]+)(?:: not found)?$", text, re.MULTILINE)))
    if re.search(r"UnknownHost|Host .* not found|unreachable|ConnectException|timed out|Connection refused", text):
        why = "the jar repository cannot be reached. Check the network (behind a proxy: set JAVA_TOOL_OPTIONS)"
    elif re.search(r"HTTP.{0,40}\b(401|403|407)\b|SSLHandshake|PKIX", text):
        why = "the jar repository refused. Check the proxy, its certificate and its rights"
    else:
        why = f"not found: {', '.join(missing) or 'see the log'}. Check the coordinates in the Spark defaults"
    return f"the jars could not be downloaded: {why}, then run the same command again. All of it: {log}"
