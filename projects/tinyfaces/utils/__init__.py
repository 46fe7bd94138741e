"""Small helpers without any knowledge of detection."""
