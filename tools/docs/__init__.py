"""Descriptions of the tools: schemas, help, reference pages."""
