namespace TwoPools;

internal static class Work
{
    /// <summary>Keeps a core busy.</summary>
    public static object Render(int size)
    {
        double sum = 0;
        for (int pixel = 0; pixel < size * size; pixel++) sum += Math.Sqrt(pixel);
        return new { sum, thread = Thread.CurrentThread.Name };
    }

    /// <summary>Waits, as for a database.</summary>
    public static object List()
    {
        Thread.Sleep(5);
        return new { books = (string[])["Tides"], thread = Thread.CurrentThread.Name };
    }
}
