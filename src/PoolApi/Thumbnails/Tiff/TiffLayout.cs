namespace PoolApi.Thumbnails.Tiff;

/// <summary>How the pixels of a TIFF's first page are stored. Exists only for variants that are converted correctly. Immutable.</summary>
internal sealed record TiffLayout
{
    private const int None = 1;
    private const int Jpeg = 7;
    private const int FaxWords = 32771;
    private const int Ycc = 6;
    private const int Lab = 8;

    // The variants that each photometric interpretation may have. All others fail in libvips or come out as a wrong picture: signed, 32-bit and
    // floating-point samples are read but not scaled to the range of a screen.
    private static readonly Variant[] Variants =
    [
        new([0, 1], "grey", [1, 2, 4], MinSamples: 1, MaxSamples: 1),
        new([0, 1], "grey", [8, 16], MinSamples: 1, MaxSamples: 2),
        new([2], "RGB", [8, 16], MinSamples: 3, MaxSamples: 4),
        new([3], "palette", [1, 2, 4, 16], MinSamples: 1, MaxSamples: 1),
        new([3], "palette", [8], MinSamples: 1, MaxSamples: 2),
        new([5], "CMYK", [8, 16], MinSamples: 4, MaxSamples: 5),
        new([Ycc], "YCbCr", [8], MinSamples: 3, MaxSamples: 3),
        new([Lab], "CIELab", [8, 16], MinSamples: 3, MaxSamples: 3),
    ];

    private static readonly Dictionary<long, string> Compressions = new()
    {
        [None] = "none",
        [2] = "CCITT RLE",
        [3] = "CCITT Group 3",
        [4] = "CCITT Group 4",
        [5] = "LZW",
        [Jpeg] = "JPEG",
        [8] = "Deflate",
        [32766] = "NeXT",
        [FaxWords] = "CCITT RLE",
        [32773] = "PackBits",
        [32809] = "ThunderScan",
        [32946] = "Deflate",
        [50001] = "WebP",
    };

    // Used only in the text of a refusal.
    private static readonly Dictionary<long, string> OtherCompressions = new()
    {
        [6] = "old-style JPEG",
        [32908] = "PixarFilm",
        [32909] = "PixarLog",
        [33003] = "JPEG 2000",
        [33004] = "JPEG 2000",
        [33005] = "JPEG 2000",
        [34661] = "JBIG",
        [34676] = "SGI log",
        [34677] = "SGI log",
        [34712] = "JPEG 2000",
        [34887] = "LERC",
        [34925] = "LZMA",
        [50000] = "Zstandard",
        [50002] = "JPEG XL",
        [52546] = "JPEG XL",
    };

    private static readonly Dictionary<long, string> OtherPhotometrics = new()
    {
        [4] = "a transparency mask",
        [9] = "ICCLab colours",
        [10] = "ITULab colours",
        [32803] = "a camera's raw samples",
        [32844] = "LogL brightness",
        [32845] = "LogLuv colours",
        [34892] = "a camera's linear samples",
    };

    private TiffLayout()
    {
    }

    /// <summary>The width of the page.</summary>
    public required long Width { get; init; }

    /// <summary>The height of the page.</summary>
    public required long Height { get; init; }

    /// <summary>The bits per sample.</summary>
    public required int Bits { get; init; }

    /// <summary>The samples per pixel.</summary>
    public required int Samples { get; init; }

    /// <summary>Whether samples are stored in separate planes.</summary>
    public required bool IsSeparate { get; init; }

    /// <summary>Whether the pixels are in tiles, and not in strips.</summary>
    public required bool IsTiled { get; init; }

    /// <summary>Whether the pixels are not compressed.</summary>
    public required bool IsUncompressed { get; init; }

    /// <summary>Whether each strip or tile is a JPEG.</summary>
    public required bool IsJpeg { get; init; }

    /// <summary>Whether lines are coded as a fax (CCITT). The decoder only warns about a line that it cannot decode.</summary>
    public required bool IsFax { get; init; }

    /// <summary>Whether chroma is subsampled, so that a row is not a whole number of samples.</summary>
    public required bool IsSubsampled { get; init; }

    /// <summary>The conversion of YCbCr to RGB; <see langword="null"/>: the decoder returns RGB.</summary>
    public required YCbCrConversion? YCbCr { get; init; }

    /// <summary>Whether the samples are 8-bit CIELab.</summary>
    public required bool IsByteLab { get; init; }

    /// <summary>Reads the layout. Refuses a variant that is not converted correctly, by its name.</summary>
    public static TiffLayout Read(TiffDirectory directory)
    {
        var samples = directory.Number(TiffTag.SamplesPerPixel) ?? 1;
        var compression = directory.Number(TiffTag.Compression) ?? None;
        var photometric = directory.Number(TiffTag.Photometric)
            ?? throw Refuse("no photometric interpretation", "one is needed to know its colours");
        var isSeparate = samples > 1 && directory.Number(TiffTag.PlanarConfiguration) == 2;
        var isTiled = directory.Number(TiffTag.TileWidth) is not null;

        CheckCompression(compression);
        var bits = CheckSamples(directory, photometric, samples);
        if (photometric == 5 && directory.Number(TiffTag.InkSet) is { } inks and not 1)
            throw Refuse($"inks other than CMYK (ink set {inks})", "CMYK is");
        if (compression == Jpeg && bits != 8)
            throw Refuse($"JPEG-compressed samples of {bits} bits", "8 bits are");
        if (isTiled && directory.Number(TiffTag.PlanarConfiguration) == 2)
            throw Refuse("tiles with a plane for each sample", "tiles of whole pixels, and strips, are");
        if (isTiled && IsFaxCompression(compression))
            throw Refuse($"tiles of {Compressions[compression]} compression", "strips are: the decoder cannot tell that such a tile is damaged");
        if (!isSeparate && bits < 8 && directory.Number(TiffTag.PlanarConfiguration) == 2)
            throw Refuse($"planes of {bits}-bit samples", "planes of 8 or 16 bits are");

        var isSubsampled = false;
        YCbCrConversion? conversion = null;
        if (photometric == Ycc && compression != Jpeg)
        {
            var shared = directory.Numbers(TiffTag.YCbCrSubsampling);
            isSubsampled = shared.Count < 2 || shared[0] != 1 || shared[1] != 1;
            if (isSeparate)
                throw Refuse("YCbCr with a plane for each sample", "YCbCr of whole pixels is");

            // The decoder of such tiles does not report that one is damaged.
            if (isSubsampled && isTiled && compression != None)
                throw Refuse("compressed tiles of subsampled YCbCr", "such tiles are uncompressed or compressed with JPEG, and strips are");
            if (!isSubsampled)
                conversion = YCbCrConversion.Read(directory);
        }
        else if (photometric == Ycc && isSeparate)
        {
            throw Refuse("YCbCr with a plane for each sample", "YCbCr of whole pixels is");
        }

        return new TiffLayout
        {
            Width = directory.Number(TiffTag.ImageWidth) ?? 0,
            Height = directory.Number(TiffTag.ImageLength) ?? 0,
            Bits = bits,
            Samples = (int)samples,
            IsSeparate = isSeparate,
            IsTiled = isTiled,
            IsUncompressed = compression == None,
            IsJpeg = compression == Jpeg,
            IsFax = IsFaxCompression(compression),
            IsSubsampled = isSubsampled,
            YCbCr = conversion,
            IsByteLab = photometric == Lab && bits == 8,
        };
    }

    /// <summary>Whether a compression is one of the fax codings.</summary>
    public static bool IsFaxCompression(long compression) => compression is 2 or 3 or 4 or FaxWords;

    private static void CheckCompression(long compression)
    {
        if (Compressions.ContainsKey(compression))
            return;

        var name = OtherCompressions.GetValueOrDefault(compression, FormattableString.Invariant($"unknown ({compression})"));
        throw Refuse($"{name} compression", $"{string.Join(", ", Compressions.Values.Distinct())} are");
    }

    // Returns the bits of a sample.
    private static int CheckSamples(TiffDirectory directory, long photometric, long samples)
    {
        var variants = Array.FindAll(Variants, variant => variant.Photometrics.Contains(photometric));
        if (variants.Length == 0)
        {
            var other = OtherPhotometrics.GetValueOrDefault(
                photometric, FormattableString.Invariant($"photometric interpretation {photometric}"));
            throw Refuse(other, $"{string.Join(", ", Variants.Select(static variant => variant.Name).Distinct())} are");
        }

        var sizes = directory.Numbers(TiffTag.BitsPerSample);
        var formats = directory.Numbers(TiffTag.SampleFormat);
        if (!sizes.AreEqual() || !formats.AreEqual())
            throw Refuse("samples of different sizes or formats", "samples of one kind are");

        var bits = sizes.Count > 0 ? sizes[0] : 1;
        var format = formats.Count > 0 ? formats[0] : 1;
        var name = variants[0].Name;
        var may = $"{name} of {string.Join(", ", variants.SelectMany(static variant => variant.Bits).Order())} bits without a sign is";

        // Readers treat undefined samples (4) as unsigned numbers. The a and b of CIELab are signed, and some writers declare that.
        var isLab = name == "CIELab";
        if (format is not (1 or 4) && !(isLab && format == 2))
        {
            throw Refuse(
                format switch
                {
                    2 => FormattableString.Invariant($"{bits}-bit signed integer samples"),
                    3 => FormattableString.Invariant($"{bits}-bit floating-point samples"),
                    5 or 6 => FormattableString.Invariant($"{bits}-bit complex samples"),
                    _ => FormattableString.Invariant($"samples of format {format}"),
                },
                may);
        }

        if (!variants.Any(variant => variant.Bits.Contains(bits)))
            throw Refuse(FormattableString.Invariant($"{bits}-bit integer samples"), may);
        if (!variants.Any(variant => variant.Bits.Contains(bits) && samples >= variant.MinSamples && samples <= variant.MaxSamples))
            throw Refuse(FormattableString.Invariant($"{name} with {samples} samples of {bits} bits a pixel"), may);
        return (int)bits;
    }

    private static UnprocessableImageException Refuse(string what, string may) => new($"a TIFF of {what} is not supported; {may}");

    private sealed record Variant(long[] Photometrics, string Name, long[] Bits, int MinSamples, int MaxSamples);
}
