using NetVips;

namespace PoolApi.Thumbnails.Tiff;

/// <summary>
/// Converts YCbCr samples that are stored without JPEG and without subsampling to RGB (TIFF 6.0, section 21). libvips returns such samples as if they
/// were RGB. The conversion runs while pixels are decoded, with a few operations a pixel.
/// </summary>
internal sealed class YCbCrConversion
{
    private static readonly double[] Bt601 = [0.299, 0.587, 0.114];
    private static readonly double[] FullRange = [0, 255, 128, 255, 128, 255];

    private readonly double[,] _matrix;
    private readonly double[] _offsets;

    private YCbCrConversion(double[] luma, double[] range)
    {
        // Converts codes to Y in 0 to 255 and Cb, Cr in -127 to 127.
        double[] scale = [255 / (range[1] - range[0]), 127 / (range[3] - range[2]), 127 / (range[5] - range[4])];

        var (red, green, blue) = (luma[0], luma[1], luma[2]);
        var fromCr = 2 - (2 * red);
        var fromCb = 2 - (2 * blue);
        _matrix = new[,]
        {
            { scale[0], 0, fromCr * scale[2] },
            { scale[0], -blue * fromCb / green * scale[1], -red * fromCr / green * scale[2] },
            { scale[0], fromCb * scale[1], 0 },
        };

        // Adds a half, because the cast to bytes truncates.
        _offsets = [.. Enumerable.Range(0, 3).Select(row =>
            0.5 - (_matrix[row, 0] * range[0]) - (_matrix[row, 1] * range[2]) - (_matrix[row, 2] * range[4]))];
    }

    /// <summary>Reads the file's definition of YCbCr. Missing or unusable values get the specification's defaults.</summary>
    public static YCbCrConversion Read(TiffDirectory directory)
    {
        var luma = directory.Rationals(TiffTag.YCbCrCoefficients, 3);
        var range = directory.Rationals(TiffTag.ReferenceBlackWhite, 6);
        return new YCbCrConversion(
            luma is [_, > 0, _] ? luma : Bt601,
            range is not null && range[0] < range[1] && range[2] < range[3] && range[4] < range[5] ? range : FullRange);
    }

    /// <summary>Converts an image. The pixels are converted on demand.</summary>
    public Image ToRgb(Image image)
    {
        using var matrix = Image.NewFromArray(_matrix);
        using var mixed = image.Recomb(matrix);
        using var rgb = mixed.Linear([1, 1, 1], _offsets, uchar: true);
        return rgb.Copy(interpretation: Enums.Interpretation.Srgb);
    }
}
