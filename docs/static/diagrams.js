// Draws the diagrams of a page; the script that draws is the site's own, and asks nobody.
mermaid.initialize({ startOnLoad: true, theme: "neutral", fontFamily: "sans-serif" });
