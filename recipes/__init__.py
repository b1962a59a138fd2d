"""Functional-API assemblies of kattention, as scripts."""
