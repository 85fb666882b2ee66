"""Live figures: flows that a page computes itself (flow.js), drawn and moved (live.js), by lesson."""
