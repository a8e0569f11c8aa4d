using System.Text;

namespace Complete;

/// <summary>A picture of the Mandelbrot set as text: its number of columns and lines, at most 200 of each.</summary>
public sealed record Scene(int Width, int Height)
{
    private const int Most = 200, Rounds = 1000;

    /// <summary>Draws the picture. It only computes.</summary>
    public string Draw()
    {
        int width = Math.Clamp(Width, 1, Most), height = Math.Clamp(Height, 1, Most);
        var picture = new StringBuilder();
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++) picture.Append(IsInside((3.0 * x / width) - 2, (2.0 * y / height) - 1) ? '#' : '.');
            picture.Append('\n');
        }
        return picture.ToString();
    }

    private static bool IsInside(double real, double imaginary)
    {
        double x = 0, y = 0;
        for (int round = 0; round < Rounds; round++)
        {
            if ((x * x) + (y * y) > 4) return false;
            (x, y) = ((x * x) - (y * y) + real, (2 * x * y) + imaginary);
        }
        return true;
    }
}
