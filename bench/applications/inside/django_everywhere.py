"""Every Django project has our sessions, as if its settings said so: engine, middleware and application.

Where a test names an engine of Django's it tests that engine: there Django's own middleware stays.
"""

from django.conf import LazySettings, global_settings

OURS = "coatcheck.integrations.django"
MIDDLEWARE = f"{OURS}.SessionMiddleware"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"

global_settings.SESSION_ENGINE = OURS
global_settings.COATCHECK = {"store": "memory://"}

_get = LazySettings.__getattr__


def _setting(self, name):
    value = _get(self, name)
    if name == "INSTALLED_APPS" and "django.contrib.sessions" in value and OURS not in value:
        if isinstance(value, list):
            value.append(OURS)  # in place: test runners append to it, too
        else:
            self.__dict__[name] = value = (*value, OURS)
    elif name == "MIDDLEWARE" and value:
        old, new = (DJANGOS, MIDDLEWARE) if self.SESSION_ENGINE == OURS else (MIDDLEWARE, DJANGOS)
        value = type(value)(new if path == old else path for path in value)
        self.__dict__[name] = value
    return value


LazySettings.__getattr__ = _setting
