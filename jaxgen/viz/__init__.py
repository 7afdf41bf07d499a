"""Pictures of images, codes and curves, and the report page of a run; numpy in, pixels or text out."""
