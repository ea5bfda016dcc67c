from django.contrib import admin

from databases.mirror.admin import MirrorModelAdmin

from .models import Member, Organisation


@admin.register(Organisation)
class OrganisationAdmin(MirrorModelAdmin):
    list_display = ("name",)
    search_fields = ("name",)


@admin.register(Member)
class MemberAdmin(MirrorModelAdmin):
    list_display = ("name", "organisation", "joined")
    search_fields = ("name", "organisation__name")
