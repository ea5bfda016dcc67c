from django.urls import path

from .views import data_points

urlpatterns = [path("", data_points, name="data-points")]
