namespace PoolApi.Thumbnails.Colours;

/// <summary>
/// Which colours the numbers of a picture stand for, as ITU-T H.273 codes it (CICP): the tag <c>nclx</c> of an AVIF, and the chunk
/// <c>cICP</c> of a PNG. How luma and chroma become RGB is the decoder's affair.
/// </summary>
/// <param name="Primaries">The code of red, green, blue and white.</param>
/// <param name="Transfer">The code of the curve from the numbers to light.</param>
internal readonly record struct CodePoints(int Primaries, int Transfer)
{
    /// <summary>Whether the numbers are known to be sRGB, or what screens show as sRGB.</summary>
    public bool IsSrgb => Primaries == 1 && Transfer is (1 or 6 or 13 or 14 or 15);

    /// <summary>
    /// An ICC profile of the same colours, or <see langword="null"/> where the numbers are sRGB, or nothing is known of them. Some
    /// 0.3 ms and 9 kB. It has what a colour engine reads, and is not meant for files.
    /// </summary>
    public byte[]? ToProfile(bool isGrey)
    {
        TransferCurve? curve = TransferCurve.Of(Transfer);
        ColourPrimaries? primaries = ColourPrimaries.Of(Primaries);
        if (curve is null && (primaries is null || isGrey)) return null;

        ushort[] table = (curve ?? TransferCurve.Srgb).ToTable();
        return isGrey
            ? IccProfile.Grey(table)
            : IccProfile.Rgb((primaries ?? ColourPrimaries.Bt709).ToXyz(), table);
    }
}
