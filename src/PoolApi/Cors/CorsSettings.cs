using PoolApi.AspNetCore.Settings;

namespace PoolApi.Cors;

/// <summary>Whose web pages may call the API from a browser: the section <c>Cors</c>.</summary>
internal sealed class CorsSettings
{
    private const string Section = "Cors";
    private const string OriginsKey = "Origins";

    private const string Allowed =
        "origins separated by ';', each a scheme, a host and a port if it is not the usual one, such as https://app.example; or * for every origin";

    private CorsSettings(string[] origins) => Origins = origins;

    /// <summary>The origins; none if no page of another origin may call. <c>*</c> stands alone.</summary>
    public IReadOnlyList<string> Origins { get; }

    /// <summary>Whether every origin may.</summary>
    public bool IsForAll => Origins is ["*"];

    public static CorsSettings Read(IConfiguration configuration, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection(Section), faults);
        string text = reader.Text(OriginsKey, "", static text => Split(text) is ["*"] or [] || Split(text).All(IsOrigin), Allowed);
        reader.RejectUnknownKeys();
        return new CorsSettings(Split(text));
    }

    private static string[] Split(string text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Whether a text is an origin as a browser sends it. One with a path, or with a port that a browser leaves out, would match nothing.</summary>
    private static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
        && uri.Scheme is "http" or "https"
        && uri.GetLeftPart(UriPartial.Authority).Equals(text, StringComparison.OrdinalIgnoreCase)
        && uri.UserInfo.Length == 0
        && !uri.Host.Contains('*', StringComparison.Ordinal);
}
