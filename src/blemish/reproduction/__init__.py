"""The paper's tables and figures, measured again on the data at hand: which models, their answers, how to show them."""
