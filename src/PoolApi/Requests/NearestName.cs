namespace PoolApi.Requests;

/// <summary>Finds the name that a misspelt one was meant to be.</summary>
internal static class NearestName
{
    private const int MaxLength = 32;

    /// <summary>
    /// The name at the smallest distance: a letter too many, too few, wrong, or two letters swapped. A third of the letters may be wrong.
    /// Without such a name, the only name that begins with the written one.
    /// </summary>
    /// <param name="written">What was written.</param>
    /// <param name="names">The names there are.</param>
    /// <param name="maxLength">The longest text that is compared: clients may send texts of any length.</param>
    /// <returns>The name; <see langword="null"/> if none is near.</returns>
    public static string? Of(string written, IEnumerable<string> names, int maxLength = MaxLength)
    {
        if (written.Length == 0 || written.Length > maxLength) return null;
        string[] all = [.. names];
        string? nearest = all.MinBy(name => Distance(written, name));
        if (nearest is not null && Distance(written, nearest) <= Math.Max(1, Math.Min(written.Length, nearest.Length) / 3)) return nearest;
        string[] begun = [.. all.Where(name => name.StartsWith(written, StringComparison.OrdinalIgnoreCase))];
        return begun.Length == 1 ? begun[0] : null;
    }

    /// <summary>The optimal string alignment distance, case aside.</summary>
    private static int Distance(string a, string b)
    {
        int[,] slips = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) slips[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) slips[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int other = IsSame(a[i - 1], b[j - 1]) ? 0 : 1;
                int least = Math.Min(Math.Min(slips[i - 1, j], slips[i, j - 1]) + 1, slips[i - 1, j - 1] + other);
                bool isSwapped = i > 1 && j > 1 && IsSame(a[i - 1], b[j - 2]) && IsSame(a[i - 2], b[j - 1]);
                slips[i, j] = isSwapped ? Math.Min(least, slips[i - 2, j - 2] + 1) : least;
            }
        }
        return slips[a.Length, b.Length];
    }

    private static bool IsSame(char one, char other) => char.ToUpperInvariant(one) == char.ToUpperInvariant(other);
}
