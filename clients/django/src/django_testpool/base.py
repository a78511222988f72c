"""Where Django looks for a backend."""

from django.db.backends.postgresql import base, operations

from .creation import DatabaseCreation


class DatabaseOperations(operations.DatabaseOperations):
    """A flush of a test database rewinds it: what the migrations put into it stays."""

    def sql_flush(self, *arguments, **options):
        return [] if self.connection.creation.leased else super().sql_flush(*arguments, **options)

    def execute_sql_flush(self, sql_list):
        if self.connection.creation.leased:
            self.connection.creation.renew()
        else:
            super().execute_sql_flush(sql_list)


class DatabaseWrapper(base.DatabaseWrapper):
    creation_class = DatabaseCreation
    ops_class = DatabaseOperations
