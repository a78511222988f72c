from django.db import models


class Item(models.Model):
    name = models.TextField(unique=True)

    class Meta:
        db_table = "item"
