namespace PoolApi.Thumbnails.Colours;

/// <summary>
/// A curve from the numbers of a picture to light, both from 0 to 1. 1 is the white of a screen without HDR. The HDR curves (PQ, HLG)
/// also compress the tones with Reinhard's operator: the white of paper (203 cd/m², BT.2408) becomes a light grey, and a highlight of
/// 1,000 cd/m² becomes white. Browsers do the same on such a screen.
/// </summary>
internal sealed class TransferCurve
{
    // 4,096 entries of 16 bits are finer than the steps of 8-bit sRGB everywhere.
    private const int TableLength = 4096;

    private const double PaperWhite = 203;
    private const double Peak = 1000;
    private const double PqPeak = 10_000;
    private const double HlgSystemGamma = 1.2;

    private readonly Func<double, double> _toLight;

    private TransferCurve(Func<double, double> toLight) => _toLight = toLight;

    /// <summary>The curve of sRGB.</summary>
    public static TransferCurve Srgb { get; } = new(static v => v <= 0.04045 ? v / 12.92 : Math.Pow((v + 0.055) / 1.055, 2.4));

    /// <summary>
    /// The curve of a code of H.273, or <see langword="null"/>: it is sRGB's, or one that screens show as sRGB (BT.709 and its like), or
    /// nothing is known of it.
    /// </summary>
    public static TransferCurve? Of(int code) => code switch
    {
        4 => new(static v => Math.Pow(v, 2.2)),
        5 => new(static v => Math.Pow(v, 2.8)),
        8 => new(static v => v),
        16 => new(static v => MapTones(PqPeak * Pq(v))),
        17 => new(static v => Math.Min(1, Math.Pow(v, 2.6) * 52.37 / 48)),
        18 => new(static v => MapTones(Peak * Math.Pow(Hlg(v), HlgSystemGamma))),
        _ => null,
    };

    /// <summary>The curve as evenly spaced entries, the last of which is for 1.</summary>
    public ushort[] ToTable()
    {
        var table = new ushort[TableLength];
        for (int n = 0; n < TableLength; n++)
            table[n] = (ushort)Math.Round(ushort.MaxValue * Math.Clamp(_toLight(n / (TableLength - 1.0)), 0, 1));
        return table;
    }

    private static double MapTones(double candelas)
    {
        const double White = Peak / PaperWhite;
        double light = candelas / PaperWhite;
        return Math.Min(1, light * (1 + light / (White * White)) / (1 + light));
    }

    // SMPTE ST 2084: the share of 10,000 cd/m².
    private static double Pq(double value)
    {
        const double M1 = 2610.0 / 16384;
        const double M2 = 2523.0 / 4096 * 128;
        const double C1 = 3424.0 / 4096;
        const double C2 = 2413.0 / 4096 * 32;
        const double C3 = 2392.0 / 4096 * 32;
        double root = Math.Pow(value, 1 / M2);
        return Math.Pow(Math.Max(0, root - C1) / (C2 - C3 * root), 1 / M1);
    }

    // ARIB STD-B67: the share of the light that the camera took.
    private static double Hlg(double value)
    {
        const double A = 0.17883277;
        const double B = 1 - 4 * A;
        double c = 0.5 - A * Math.Log(4 * A);
        return value <= 0.5 ? value * value / 3 : (Math.Exp((value - c) / A) + B) / 12;
    }
}
