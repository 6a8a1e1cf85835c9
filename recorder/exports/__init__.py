"""Bundles of evidence as jobs: asked for by anybody who may, made by one node, given out, let go.

The catalog says how far each is, a folder of the node that makes it has its files
(:class:`recorder.export.kept.Bundles`).  Whatever dies, the next round goes on from these two.
"""
