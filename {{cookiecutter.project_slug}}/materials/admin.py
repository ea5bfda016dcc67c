from django.contrib import admin

from databases.mirror.admin import MirrorModelAdmin

from .models import Chapter, Collection, Material, Section, Subject


@admin.register(Subject)
class SubjectAdmin(MirrorModelAdmin):
    search_fields = ("name",)


@admin.register(Collection)
class CollectionAdmin(MirrorModelAdmin):
    list_display = ("title", "parent", "curator")
    # Named, because Django 5.2 would follow only foreign keys that are never NULL.
    list_select_related = ("parent", "curator")
    search_fields = ("title",)


@admin.register(Material)
class MaterialAdmin(MirrorModelAdmin):
    list_display = ("title", "collection", "updated")
    search_fields = ("title",)


@admin.register(Chapter)
class ChapterAdmin(MirrorModelAdmin):
    list_display = ("title", "number", "material")
    search_fields = ("title",)


@admin.register(Section)
class SectionAdmin(MirrorModelAdmin):
    list_display = ("__str__", "chapter")
