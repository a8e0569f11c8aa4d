using System.Buffers.Binary;
using System.Text;

namespace PoolApi.Thumbnails.Colours;

/// <summary>
/// Writes ICC profiles (version 2.4) of primaries and one curve: what a colour engine computes with. The tags that are for people (a
/// name, a copyright) are left out.
/// </summary>
internal static class IccProfile
{
    private const int HeaderLength = 128;
    private const int EntryLength = 12;

    /// <summary>A profile for one channel.</summary>
    public static byte[] Grey(ReadOnlySpan<ushort> curve) => Write("GRAY", [("wtpt", White()), ("kTRC", Curve(curve))]);

    /// <summary>A profile for red, green and blue, whose X, Y and Z are one row each.</summary>
    public static byte[] Rgb(double[,] colours, ReadOnlySpan<ushort> curve)
    {
        byte[] table = Curve(curve);
        return Write("RGB ",
        [
            ("wtpt", White()),
            ("rXYZ", Xyz(colours[0, 0], colours[0, 1], colours[0, 2])),
            ("gXYZ", Xyz(colours[1, 0], colours[1, 1], colours[1, 2])),
            ("bXYZ", Xyz(colours[2, 0], colours[2, 1], colours[2, 2])),
            ("rTRC", table),
            ("gTRC", table),
            ("bTRC", table),
        ]);
    }

    // Tags with the same array share its bytes in the profile.
    private static byte[] Write(string space, (string Name, byte[] Data)[] tags)
    {
        byte[][] parts = [.. tags.Select(static tag => tag.Data).Distinct()];
        int start = HeaderLength + 4 + EntryLength * tags.Length;
        var profile = new byte[start + parts.Sum(static part => part.Length)];

        Span<byte> header = profile;
        BinaryPrimitives.WriteInt32BigEndian(header, profile.Length);
        BinaryPrimitives.WriteInt32BigEndian(header[8..], 0x02400000);
        Encoding.ASCII.GetBytes("mntr" + space + "XYZ ", header[12..]);
        Encoding.ASCII.GetBytes("acsp", header[36..]);
        Xyz(0.9642, 1, 0.8249).AsSpan(8).CopyTo(header[68..]);

        BinaryPrimitives.WriteInt32BigEndian(header[HeaderLength..], tags.Length);
        Span<byte> entry = header[(HeaderLength + 4)..];
        foreach ((string name, byte[] data) in tags)
        {
            Encoding.ASCII.GetBytes(name, entry);
            BinaryPrimitives.WriteInt32BigEndian(entry[4..], start + parts.TakeWhile(part => part != data).Sum(static part => part.Length));
            BinaryPrimitives.WriteInt32BigEndian(entry[8..], data.Length);
            entry = entry[EntryLength..];
        }
        Span<byte> at = header[start..];
        foreach (byte[] part in parts)
        {
            part.CopyTo(at);
            at = at[part.Length..];
        }
        return profile;
    }

    private static byte[] White() => Xyz(0.9642, 1, 0.8249);

    private static byte[] Xyz(double x, double y, double z)
    {
        var tag = new byte[20];
        Encoding.ASCII.GetBytes("XYZ ", tag);
        Fixed(tag.AsSpan(8), x);
        Fixed(tag.AsSpan(12), y);
        Fixed(tag.AsSpan(16), z);
        return tag;
    }

    private static void Fixed(Span<byte> to, double value) => BinaryPrimitives.WriteInt32BigEndian(to, (int)Math.Round(value * 65_536));

    private static byte[] Curve(ReadOnlySpan<ushort> table)
    {
        var tag = new byte[12 + 2 * table.Length];
        Encoding.ASCII.GetBytes("curv", tag);
        BinaryPrimitives.WriteInt32BigEndian(tag.AsSpan(8), table.Length);
        for (int n = 0; n < table.Length; n++) BinaryPrimitives.WriteUInt16BigEndian(tag.AsSpan(12 + 2 * n), table[n]);
        return tag;
    }
}
