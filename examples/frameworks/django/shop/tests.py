from django.test import TransactionTestCase

from shop.models import Item


class FindsTheTemplateAndItsOwnRows(TransactionTestCase):
    def add(self, name):
        Item.objects.create(name=name)
        Item.objects.create(name="shared")
        self.assertEqual(list(Item.objects.order_by("id").values_list("name", flat=True)), ["apple", name, "shared"])

    def test_pear(self):
        self.add("pear")

    def test_plum(self):
        self.add("plum")


class FindsThemAgain(FindsTheTemplateAndItsOwnRows):
    pass


class Purpose(TransactionTestCase):
    def test_fails(self):
        Item.objects.create(name="evidence")
        self.assertEqual(Item.objects.count(), 1)
