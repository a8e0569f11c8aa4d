using NetVips;

namespace PoolApi.Thumbnails.Tiff;

/// <summary>
/// CIELab of 8 bits: L from 0 to 255, a and b with a sign. libvips has a reader for it whose result it then refuses as malformed, so
/// the file is read as RGB, byte for byte, and the bytes are given their meaning here.
/// </summary>
internal static class ByteLab
{
    /// <summary>A copy of the file that calls its samples RGB.</summary>
    public static ReadOnlyMemory<byte> ReadAsRgb(ReadOnlyMemory<byte> file, TiffDirectory directory)
    {
        const byte Rgb = 2;
        var copy = file.ToArray();
        var place = directory.PlaceOf(TiffTag.Photometric)!.Value;
        copy.AsSpan(place, 2).Clear();
        copy[directory.IsBigEndian ? place + 1 : place] = Rgb;
        return copy;
    }

    /// <summary>Gives the samples their meaning.</summary>
    public static Image ToLab(Image image)
    {
        using var bytes = image.ExtractBand(0);
        using var lightness = bytes.Linear([100.0 / 255], [0]);
        using var unsigned = image.ExtractBand(1, n: 2);
        using var signed = unsigned.Copy(format: Enums.BandFormat.Char);
        using var lab = lightness.Bandjoin(signed);
        return lab.Copy(interpretation: Enums.Interpretation.Lab);
    }
}
