using PoolApi.AspNetCore.Settings;

namespace PoolApi.Cors;

/// <summary>Whose web pages may call the API from a browser: the section <c>Cors</c>.</summary>
internal sealed class CorsSettings
{
    private static readonly TextSetting OriginsSetting = Setting.Words(
        "Origins",
        "",
        static text => Split(text) is ["*"] or [] || Split(text).All(IsOrigin),
        "origins separated by ';', each a scheme, a host and a port if it is not the usual one, such as https://app.example; or * for every origin",
        "origins whose web pages may call the API from a browser. The management routes are never open to another origin");

    public static readonly SettingSection Section = new("Cors", [OriginsSetting]);

    private CorsSettings(string[] origins) => Origins = origins;

    /// <summary>The origins; none if no page of another origin may call. <c>*</c> stands alone.</summary>
    public IReadOnlyList<string> Origins { get; }

    /// <summary>Whether pages of every origin may call the API.</summary>
    public bool IsForAll => Origins is ["*"];

    public static CorsSettings Read(IConfiguration configuration, List<string> faults)
    {
        var reader = new SettingsReader(configuration.GetSection(Section.Name), faults);
        string text = reader.Read(OriginsSetting);
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
