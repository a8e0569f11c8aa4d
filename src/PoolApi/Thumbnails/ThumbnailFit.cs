namespace PoolApi.Thumbnails;

/// <summary>How an image meets the box that was asked for. Both enlarge as well as shrink.</summary>
public enum ThumbnailFit
{
    /// <summary>The whole image, its proportions kept, as large as fits in the box.</summary>
    Inside,

    /// <summary>Exactly the box, filled; what sticks out is cut off evenly on both sides.</summary>
    Cover,
}
