"""What Liveshelf costs, measured on the machine at hand: ratios within one run, not absolute claims."""
