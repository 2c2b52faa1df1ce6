"""Networks whose hidden weights are drawn, and whose decoders are solved by least squares under noise."""
