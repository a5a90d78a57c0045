"""Floor 6: pictures of a cluster: svg, dot, mermaid, and html that stands alone."""
