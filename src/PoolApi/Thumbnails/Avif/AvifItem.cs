using PoolApi.Thumbnails.Colours;

namespace PoolApi.Thumbnails.Avif;

/// <summary>One item of an AVIF file: a coded image, or an image that is derived from other items.</summary>
internal sealed class AvifItem
{
    /// <summary>Whether the table of items has it.</summary>
    public bool IsDeclared { get; set; }

    /// <summary>Its type; 0 if the file does not declare it.</summary>
    public uint Type { get; set; }

    /// <summary>Whether the file declares it as an AV1 stream. Then the decoder ignores what it is derived from.</summary>
    public bool IsCoded => Type == ItemTypes.Av1;

    /// <summary>The items that it is derived from. An item that is used several times is in the list as often.</summary>
    public List<uint> Sources { get; } = [];

    /// <summary>The items that belong to it, such as its alpha.</summary>
    public List<uint> Auxiliaries { get; } = [];

    /// <summary>The units that the decoder reads before its bytes, as a place in the file.</summary>
    public Range? Configuration { get; set; }

    /// <summary>Whether the file has the position of its bytes.</summary>
    public bool IsLocated { get; set; }

    /// <summary>The pieces of its bytes, as positions in the file or in the item data.</summary>
    public List<(ulong At, ulong Length)> Pieces { get; } = [];

    /// <summary>Whether its bytes are in the item data.</summary>
    public bool IsInItemData { get; set; }

    /// <summary>The number of its pixels, by its properties.</summary>
    public double Area { get; set; }

    /// <summary>The code points of its colours, by its properties.</summary>
    public CodePoints? Colours { get; set; }
}
