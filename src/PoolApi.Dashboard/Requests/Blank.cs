namespace PoolApi.Dashboard.Requests;

/// <summary>Parsers of parameters that the pages' forms may leave blank, which is as if they were not given.</summary>
internal static class Blank
{
    /// <summary>Any text, without the blanks around it; null if it is blank.</summary>
    public static bool OrText(string text, out string? value)
    {
        value = string.IsNullOrWhiteSpace(text) ? null : text.Trim();
        return true;
    }

    /// <summary>The id of a job; null if it is blank.</summary>
    public static bool OrId(string text, out Guid? id)
    {
        id = Guid.TryParseExact(text, "D", out Guid known) ? known : null;
        return id is not null || text.Length == 0;
    }
}
