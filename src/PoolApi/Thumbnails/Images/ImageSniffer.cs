using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace PoolApi.Thumbnails;

/// <summary>
/// Recognises the encoding of an image by its first bytes. It runs before the request is queued and costs a few comparisons, without a native call.
/// Whether the image decodes is known only later.
/// </summary>
public static class ImageSniffer
{
    /// <summary>The accepted encodings, in words for the client.</summary>
    public const string Accepted = "JPEG, PNG, WebP, GIF, TIFF or AVIF";

    // The list of brands is at the start of the file. A longer list than this is not accepted.
    private const int MaxFileTypeBox = 256;

    /// <summary>Recognises the encoding; false when it is none of <see cref="Accepted"/>.</summary>
    public static bool TryRecognise(ReadOnlySpan<byte> head, [NotNullWhen(true)] out ImageKind? kind)
    {
        kind = head switch
        {
            [0xFF, 0xD8, 0xFF, ..] => ImageKind.Jpeg,
            [0x89, (byte)'P', (byte)'N', (byte)'G', (byte)'\r', (byte)'\n', 0x1A, (byte)'\n', ..] => ImageKind.Png,
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => ImageKind.Webp,
            [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => ImageKind.Gif,
            [(byte)'I', (byte)'I', 42 or 43, 0, ..] or [(byte)'M', (byte)'M', 0, 42 or 43, ..] => ImageKind.Tiff,
            _ when IsAvif(head) => ImageKind.Avif,
            _ => null,
        };
        return kind is not null;
    }

    // An ISO media file opens with a box: its length, "ftyp", the major brand, a version, then the compatible brands.
    private static bool IsAvif(ReadOnlySpan<byte> head)
    {
        if (head.Length < 16 || !head[4..8].SequenceEqual("ftyp"u8))
            return false;

        var box = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (box is < 16 or > MaxFileTypeBox || box % 4 != 0)
            return false;
        if (IsAvifBrand(head[8..12]))
            return true;

        for (var at = 16; at + 4 <= Math.Min((int)box, head.Length); at += 4)
        {
            if (IsAvifBrand(head[at..(at + 4)]))
                return true;
        }

        return false;
    }

    private static bool IsAvifBrand(ReadOnlySpan<byte> brand) => brand.SequenceEqual("avif"u8) || brand.SequenceEqual("avis"u8);
}
