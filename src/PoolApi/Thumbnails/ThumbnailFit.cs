namespace PoolApi.Thumbnails;

/// <summary>How an image is fitted into the requested box. Both ways enlarge as well as shrink.</summary>
public enum ThumbnailFit
{
    /// <summary>The whole image with its proportions, as large as fits into the box.</summary>
    Inside,

    /// <summary>Fills the box exactly. The excess is cut off evenly on both sides.</summary>
    Cover,
}
