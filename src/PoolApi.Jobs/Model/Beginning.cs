namespace PoolApi.Jobs;

/// <summary>The beginning of a text that is too long to be kept.</summary>
internal static class Beginning
{
    /// <summary>Returns the first characters of a text, without half of a surrogate pair, or the text itself if it is no longer.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">The most characters, at least one.</param>
    public static string Of(string text, int most) =>
        text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
}
