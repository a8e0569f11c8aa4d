using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Avif;

/// <summary>One item of an AVIF file: a coded image, or an image that is derived from other items.</summary>
internal sealed class AvifItem
{
    /// <summary>Whether its bytes are an AV1 stream, as the file says.</summary>
    public bool IsCoded { get; set; }

    /// <summary>The items that it is derived from; one stands here as often as it is used.</summary>
    public List<uint> Sources { get; } = [];

    /// <summary>Where its bytes are, piece by piece: in the file, or in its item data.</summary>
    public List<(ulong At, ulong Length)> Pieces { get; } = [];

    /// <summary>Whether its bytes are in the item data.</summary>
    public bool IsInItemData { get; set; }

    /// <summary>How many pixels it has, as its properties say.</summary>
    public double Area { get; set; }

    /// <summary>Which colours it has, as its properties say.</summary>
    public CodePoints? Colours { get; set; }
}
