using System.Buffers.Binary;

namespace PoolApi.Thumbnails.Avif;

/// <summary>The types of items in an AVIF file, as numbers.</summary>
internal static class ItemTypes
{
    public static readonly uint Av1 = Of("av01"u8);
    public static readonly uint Grid = Of("grid"u8);
    public static readonly uint Overlay = Of("iovl"u8);

    private static readonly uint[] Derived = [Grid, Overlay, Of("iden"u8), Of("tmap"u8)];

    // Coded images of other codecs, which the decoder would try.
    private static readonly uint[] Foreign =
        [Of("hvc1"u8), Of("lhv1"u8), Of("avc1"u8), Of("vvc1"u8), Of("jpeg"u8), Of("j2k1"u8), Of("unci"u8), Of("mski"u8), Of("tili"u8)];

    // The decoder takes such an item as an image if its content is of the type image/jpeg.
    private static readonly uint Mime = Of("mime"u8);

    /// <summary>Whether the decoder may take it as a coded image although it is no AV1 stream.</summary>
    public static bool IsForeign(uint type) => type == Mime || Array.IndexOf(Foreign, type) >= 0;

    /// <summary>Whether it is an image. All other items are metadata.</summary>
    public static bool IsImage(uint type) => type == Av1 || Array.IndexOf(Derived, type) >= 0 || Array.IndexOf(Foreign, type) >= 0;

    private static uint Of(ReadOnlySpan<byte> letters) => BinaryPrimitives.ReadUInt32BigEndian(letters);
}
