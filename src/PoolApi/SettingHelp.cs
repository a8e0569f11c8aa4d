using System.Text;
using PoolApi.AspNetCore.Settings;

namespace PoolApi;

/// <summary>The settings of the service as <c>--help</c> prints them.</summary>
internal static class SettingHelp
{
    private const int Width = 100;

    /// <summary>Each setting: its key and default, what it does, and its allowed values.</summary>
    public static string Text()
    {
        var text = new StringBuilder("Settings (docs/settings.md also has those of ASP.NET Core, Kestrel, logging and OpenTelemetry):\n\n");
        foreach ((string key, Setting setting) in SettingCatalogue.All)
        {
            text.Append($"  {key}   default: {setting.Default}\n");
            Wrap(text, Plain(setting.Text));
            Wrap(text, $"allowed values: {setting.Allowed}");
        }
        return text.ToString();
    }

    private static string Plain(string markdown) => markdown.Replace("`", "", StringComparison.Ordinal);

    private static void Wrap(StringBuilder text, string paragraph)
    {
        const string Indent = "      ";
        int column = 0;
        foreach (string word in paragraph.Split(' '))
        {
            if (column > 0 && column + 1 + word.Length > Width)
            {
                text.Append('\n');
                column = 0;
            }
            string before = column == 0 ? Indent : " ";
            text.Append(before).Append(word);
            column += before.Length + word.Length;
        }
        text.Append('\n');
    }
}
