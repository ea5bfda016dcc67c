from django.urls import path

from .views import data_points, home

urlpatterns = [path("", home, name="home"), path("data-points/", data_points, name="data-points")]
