from django.db import migrations, models


def add_apple(apps, editor):
    apps.get_model("shop", "Item").objects.create(name="apple")


class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Item",
            [("id", models.AutoField(primary_key=True)), ("name", models.TextField(unique=True))],
            options={"db_table": "item"},
        ),
        migrations.RunPython(add_apple),
    ]
