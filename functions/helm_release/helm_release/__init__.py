"""Helm releases as CloudFormation resources.

CloudFormation has no resource for a chart; this function runs helm for it. One invocation, one release, one answer:

``request`` reads the event, ``deadline`` shares out the time that is left, ``cluster`` finds the API server and signs a
token, ``charts`` gets the chart, ``helm`` and ``kubectl`` run the programs, ``release`` decides what has to happen,
``answer`` tells CloudFormation, ``handling`` strings them together, ``wiring`` reads the environment.
"""
