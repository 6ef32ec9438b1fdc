"""The room of methods: what each of them is (method.py), by which name (registry.py), and all but PatchCore itself."""
