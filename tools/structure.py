"""How the tree holds together: files by folder, imports that run upward, circles of imports.

`python tools/structure.py` tells it of the working tree, `python tools/structure.py COMMIT` of an earlier
layers are those of the contract in pyproject.toml. A file of an earlier commit is on the layer that the file
stands on that became of it, by git's own finding of renames. Type-only imports count.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from io import BytesIO
from pathlib import Path

import grimp
import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("feat_pipeline", "analysis")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def layers() -> dict[str, int]:
    """Return the children of feat_pipeline with the number of their layer, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = (c for c in contracts if c["type"] == "layers" and c.get("containers") == ["feat_pipeline"])
    names = [layer.replace("(", "").replace(")", "").split("|") for layer in found["layers"]]
    return {name.strip(): number for number, beside in enumerate(names) for name in beside}


def modules_now(commit: str | None) -> dict[str, str]:
    """Map every module of a commit to the one that became of it, by the renames of each commit since."""
    if commit is None:
        return {}
    became: dict[str, str] = {}
    log = git("log", "--reverse", "--format=", "--name-status", "-M40%", f"{commit}..HEAD", "--", *PACKAGES)
    for line in log.decode().splitlines():
        kind, *paths = line.split("\t")
        if kind.startswith("R") and paths[1].endswith(".py"):
            old, new = map(module, paths)
            first = [name for name, last in became.items() if last == old] or [old]
            became |= dict.fromkeys(first, new)
    return became


def module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def graph_of(commit: str | None, folder: Path) -> nx.DiGraph:
    """Return which module imports which, in the working tree or in a commit that is laid out in a folder."""
    root = ROOT
    if commit is not None:
        with tarfile.open(fileobj=BytesIO(git("archive", commit, *PACKAGES))) as archive:
            archive.extractall(folder, filter="data")
        root = folder
    sys.path.insert(0, str(root))
    imports = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    sys.path.remove(str(root))
    modules = imports.modules - set(PACKAGES)  # which only hand names on
    graph = nx.DiGraph()
    graph.add_nodes_from(modules)
    for importer in modules:
        found = imports.find_modules_directly_imported_by(importer) & modules
        graph.add_edges_from((importer, other) for other in found)
    return graph


def upward(graph: nx.DiGraph, became: dict[str, str]) -> list[tuple[str, str]]:
    """List the imports inside feat_pipeline that run to a layer above, or beside, their own."""
    level = layers()

    def at(name: str) -> tuple[str, int] | None:
        parts = became.get(name, name).split(".")
        return (parts[1], level[parts[1]]) if len(parts) > 1 and parts[1] in level else None

    found = []
    for importer, other in graph.edges:
        if importer.startswith("feat_pipeline.") and other.startswith("feat_pipeline."):
            a, b = at(importer), at(other)
            if a and b and a[0] != b[0] and b[1] <= a[1]:
                found.append((importer, other))
    return sorted(found)


def circles(graph: nx.DiGraph) -> list[list[str]]:
    """List the groups of modules that import each other, and of the folders right below a package."""
    groups = [sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]
    folders = nx.DiGraph()
    for importer, other in graph.edges:
        ends = [".".join(name.split(".")[:2]) for name in (importer, other)]
        if ends[0] != ends[1]:
            folders.add_edge(*ends)
    for group in nx.strongly_connected_components(folders):
        if len(group) > 1 and not any("." in name and set(group) <= set(g) for g in groups for name in group):
            groups.append(sorted(f"{name}.*" for name in group))
    return sorted(groups)


def show(commit: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        graph = graph_of(commit, Path(folder))
    became = modules_now(commit)
    tree = git("ls-tree", "-r", "--name-only", commit) if commit else git("ls-files")
    files = [Path(line) for line in tree.decode().splitlines() if line.endswith(".py")]
    for name, count in sorted(Counter(str(f.parent) for f in files if f.parts[0] in PACKAGES).items()):
        print(f"{name:32} {count:3} files")
    for title, found in (
        ("imports that run upward", [f"{a} -> {b}" for a, b in upward(graph, became)]),
        ("circles", [", ".join(group) for group in circles(graph)]),
    ):
        print(f"{title}: {len(found)}", *(f"  {line}" for line in found), sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "commit", nargs="?", help="an earlier state, such as HEAD~20 (default: the working tree)"
    )
    show(parser.parse_args().commit)
