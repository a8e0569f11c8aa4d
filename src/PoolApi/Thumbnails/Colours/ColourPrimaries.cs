namespace PoolApi.Thumbnails.Colours;

/// <summary>The chromaticities (CIE 1931 x, y) of red, green, blue and white of a colour space.</summary>
internal sealed record ColourPrimaries(double RedX, double RedY, double GreenX, double GreenY, double BlueX, double BlueY, double WhiteX, double WhiteY)
{
    private const double D65X = 0.3127;
    private const double D65Y = 0.3290;

    // The white of ICC's connection space, and how much the three kinds of cones take of X, Y and Z, after Bradford.
    private static readonly double[] D50 = [0.9642, 1, 0.8249];
    private static readonly double[,] Cones = { { 0.8951, 0.2664, -0.1614 }, { -0.7502, 1.7135, 0.0367 }, { 0.0389, -0.0685, 1.0296 } };

    /// <summary>The primaries of sRGB.</summary>
    public static ColourPrimaries Bt709 { get; } = new(0.640, 0.330, 0.300, 0.600, 0.150, 0.060, D65X, D65Y);

    /// <summary>The primaries of a code of H.273, or <see langword="null"/>: they are sRGB's, or nothing is known of them.</summary>
    public static ColourPrimaries? Of(int code) => code switch
    {
        4 => new(0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316), // BT.470 M
        5 => new(0.64, 0.33, 0.29, 0.60, 0.15, 0.06, D65X, D65Y), // BT.470 B, G
        6 or 7 => new(0.630, 0.340, 0.310, 0.595, 0.155, 0.070, D65X, D65Y), // SMPTE 170M, 240M
        9 => new(0.708, 0.292, 0.170, 0.797, 0.131, 0.046, D65X, D65Y), // BT.2020, BT.2100
        11 => new(0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351), // DCI-P3
        12 => new(0.680, 0.320, 0.265, 0.690, 0.150, 0.060, D65X, D65Y), // Display P3
        22 => new(0.630, 0.340, 0.295, 0.605, 0.155, 0.077, D65X, D65Y), // EBU Tech. 3213
        _ => null,
    };

    /// <summary>X, Y and Z of red, green and blue, one row each, adapted to the white of ICC's connection space.</summary>
    public double[,] ToXyz()
    {
        double[,] colours = Transpose([Xyz(RedX, RedY), Xyz(GreenX, GreenY), Xyz(BlueX, BlueY)]);
        double[] white = Xyz(WhiteX, WhiteY);
        // How much of each makes white.
        double[] amounts = Apply(Invert(colours), white);
        double[,] rgbToXyz = Multiply(colours, Diagonal(amounts));

        double[] from = Apply(Cones, white);
        double[] to = Apply(Cones, D50);
        double[,] adapt = Multiply(Invert(Cones), Multiply(Diagonal([to[0] / from[0], to[1] / from[1], to[2] / from[2]]), Cones));
        double[,] adapted = Multiply(adapt, rgbToXyz);
        return Transpose([Row(adapted, 0), Row(adapted, 1), Row(adapted, 2)]);
    }

    private static double[] Xyz(double x, double y) => [x / y, 1, (1 - x - y) / y];

    private static double[] Row(double[,] m, int row) => [m[row, 0], m[row, 1], m[row, 2]];

    private static double[,] Diagonal(double[] d) => new[,] { { d[0], 0, 0 }, { 0, d[1], 0 }, { 0, 0, d[2] } };

    private static double[,] Transpose(double[][] rows)
    {
        var columns = new double[3, 3];
        for (int r = 0; r < 3; r++)
        {
            for (int c = 0; c < 3; c++) columns[c, r] = rows[r][c];
        }
        return columns;
    }

    private static double[] Apply(double[,] m, double[] v)
    {
        var result = new double[3];
        for (int r = 0; r < 3; r++) result[r] = m[r, 0] * v[0] + m[r, 1] * v[1] + m[r, 2] * v[2];
        return result;
    }

    private static double[,] Multiply(double[,] a, double[,] b)
    {
        var product = new double[3, 3];
        for (int r = 0; r < 3; r++)
        {
            for (int c = 0; c < 3; c++) product[r, c] = a[r, 0] * b[0, c] + a[r, 1] * b[1, c] + a[r, 2] * b[2, c];
        }
        return product;
    }

    // By the adjugate: the matrices of colours are well-conditioned.
    private static double[,] Invert(double[,] m)
    {
        var inverse = new double[3, 3];
        for (int r = 0; r < 3; r++)
        {
            for (int c = 0; c < 3; c++)
            {
                (int r1, int r2, int c1, int c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
                inverse[c, r] = m[r1, c1] * m[r2, c2] - m[r1, c2] * m[r2, c1];
            }
        }
        double determinant = m[0, 0] * inverse[0, 0] + m[0, 1] * inverse[1, 0] + m[0, 2] * inverse[2, 0];
        for (int r = 0; r < 3; r++)
        {
            for (int c = 0; c < 3; c++) inverse[r, c] /= determinant;
        }
        return inverse;
    }
}
