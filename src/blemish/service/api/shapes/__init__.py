"""The forms of bodies: asked.py checks what comes, the others describe what goes."""
