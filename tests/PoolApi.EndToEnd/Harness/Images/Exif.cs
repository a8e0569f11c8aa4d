using System.Buffers.Binary;
using System.Text;

namespace PoolApi.EndToEnd.Harness.Images;

/// <summary>Adds EXIF data to a JPEG: an orientation, and a description that no thumbnail may contain.</summary>
internal static class Exif
{
    private const ushort Description = 0x010E;
    private const ushort Orientation = 0x0112;
    private const ushort Ascii = 2;
    private const ushort Short = 3;

    /// <summary>A copy of the JPEG with an EXIF segment right after its start marker.</summary>
    public static byte[] Add(byte[] jpeg, ushort orientation, string description)
    {
        byte[] text = Encoding.ASCII.GetBytes(description + "\0");
        const int EntriesAt = 8 + 2, TextAt = EntriesAt + 2 * 12 + 4;
        byte[] tiff = new byte[TextAt + text.Length];
        "MM\0*"u8.CopyTo(tiff);
        BinaryPrimitives.WriteUInt32BigEndian(tiff.AsSpan(4), 8);
        BinaryPrimitives.WriteUInt16BigEndian(tiff.AsSpan(8), 2);
        Entry(tiff.AsSpan(EntriesAt), Description, Ascii, (uint)text.Length, TextAt);
        Entry(tiff.AsSpan(EntriesAt + 12), Orientation, Short, 1, (uint)orientation << 16);
        text.CopyTo(tiff, TextAt);

        byte[] segment = [0xFF, 0xE1, 0, 0, .. "Exif\0\0"u8, .. tiff];
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), (ushort)(segment.Length - 2));
        return [.. jpeg.AsSpan(0, 2), .. segment, .. jpeg.AsSpan(2)];
    }

    private static void Entry(Span<byte> at, ushort tag, ushort type, uint count, uint value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(at, tag);
        BinaryPrimitives.WriteUInt16BigEndian(at[2..], type);
        BinaryPrimitives.WriteUInt32BigEndian(at[4..], count);
        BinaryPrimitives.WriteUInt32BigEndian(at[8..], value);
    }
}
