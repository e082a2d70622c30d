"""Members that read sensor text: a recurrent network and two numeric heads, on text that is SIMULATED."""
