using NetVips;

namespace PoolApi.Thumbnails.Tiff;

/// <summary>
/// Reads 8-bit CIELab: L from 0 to 255, a and b signed. libvips has a loader for it but then refuses the result as malformed. So the file is decoded as
/// if it were RGB, and the bytes are interpreted as CIELab here. Costs a copy of the file.
/// </summary>
internal static class ByteLab
{
    /// <summary>Copies the file, with RGB declared as the interpretation of its samples.</summary>
    public static ReadOnlyMemory<byte> ReadAsRgb(ReadOnlyMemory<byte> file, TiffDirectory directory)
    {
        const byte Rgb = 2;
        var copy = file.ToArray();
        var position = directory.PositionOf(TiffTag.Photometric)!.Value;
        copy.AsSpan(position, 2).Clear();
        copy[directory.IsBigEndian ? position + 1 : position] = Rgb;
        return copy;
    }

    /// <summary>Interprets the decoded samples as CIELab.</summary>
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
