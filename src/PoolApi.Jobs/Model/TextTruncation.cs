namespace PoolApi.Jobs;

/// <summary>Truncates texts that are too long to be stored.</summary>
internal static class TextTruncation
{
    /// <summary>Returns the first characters of a text, without half of a surrogate pair, or the text itself if it is no longer.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">The most characters, at least one.</param>
    public static string Truncate(string text, int most) =>
        text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
}
