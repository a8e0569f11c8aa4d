using System.Net.Http.Headers;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>The header Prefer, as RFC 7240 specifies it.</summary>
public class PreferHeaderTests
{
    [Theory]
    [InlineData(false, null)]
    [InlineData(false, null, "")]
    [InlineData(true, null, "respond-async")]
    [InlineData(true, 5, "respond-async, wait=5")]
    [InlineData(true, 5, "wait=5,respond-async")]
    [InlineData(true, 5, "respond-async", "wait=5")]
    [InlineData(true, 300, "Respond-Async , WAIT = 300")]
    [InlineData(true, 0, ",, respond-async ,\t, wait=\"0\",")]
    [InlineData(true, 10, "respond-async; priority=9; x=\"a, b; wait=1\" ;; y, wait=10;z")]
    [InlineData(true, null, "foo=\"respond-async \\\" , wait=7\", respond-async")]
    [InlineData(true, null, "respond-async=\"\"")]
    [InlineData(false, null, "respond-async=false")]
    [InlineData(false, null, "respond-async=true, return=minimal, handling=lenient")]
    [InlineData(false, 5, "wait=5, wait=6, wait=abc")]
    [InlineData(false, null, "return=\"respond-async, wait=5")]
    [InlineData(true, null, "@@@ nonsense=, respond-async")]
    [InlineData(false, null, "respond-async nonsense")]
    [InlineData(false, null, "await=5, wait-for=7")]
    public void The_header_is_parsed_as_RFC_7240_specifies(bool respondAsync, int? wait, params string[] lines)
    {
        var given = new HeaderCase("", ("Prefer", lines));
        Preference preference = PreferHeader.Read(given.Context.Request);
        Assert.Equal((respondAsync, wait), (preference.RespondAsync, (int?)preference.Wait?.TotalSeconds));
        given.AssertRight();
    }

    /// <summary>The reason for PreferHeader: the framework's parser accepts no empty parameter (OWS ";" [ OWS parameter ]), and reads no list.</summary>
    [Theory]
    [InlineData("respond-async; ; x=1")]
    [InlineData("respond-async;")]
    [InlineData("respond-async, wait=5")]
    public void The_framework_does_not_read_what_RFC_7240_permits(string line)
    {
        Assert.False(NameValueWithParametersHeaderValue.TryParse(line, out _));
        Assert.True(PreferHeader.Read(new HeaderCase("", ("Prefer", [line])).Context.Request).RespondAsync);
    }

    [Theory]
    [InlineData("wait=-1")]
    [InlineData("wait=1e9")]
    [InlineData("wait=abc")]
    [InlineData("wait=1.5")]
    [InlineData("wait")]
    [InlineData("wait=")]
    [InlineData("wait=\"\"")]
    [InlineData("wait=\"5 \"")]
    [InlineData("wait=\"5")]
    [InlineData("wait=5 6")]
    [InlineData("wait=@")]
    [InlineData("wait=abc, wait=5")]
    [InlineData("respond-async, wait=+5")]
    public void A_malformed_wait_is_ignored(string line)
    {
        var given = new HeaderCase("", ("Prefer", [line]));
        Assert.Null(PreferHeader.Read(given.Context.Request).Wait);
    }

    [Theory]
    [InlineData("wait=301")]
    [InlineData("wait=600")]
    [InlineData("wait=2147483648")]
    [InlineData("wait=99999999999999999999")]
    public void A_too_long_wait_is_shortened_to_the_maximum_and_reported_in_Preference_Applied(string line)
    {
        var given = new HeaderCase("", ("Prefer", [line]));
        Preference preference = PreferHeader.Read(given.Context.Request);
        preference.SetApplied(given.Context.Response);
        Assert.Equal("wait=300", given.Context.Response.Headers["Preference-Applied"].ToString());
    }

    [Theory]
    [InlineData(true, null, "respond-async")]
    [InlineData(true, 5, "respond-async, wait=5")]
    [InlineData(false, 5, "wait=5")]
    [InlineData(false, null, "")]
    public void Preference_Applied_lists_the_applied_preferences(bool respondAsync, int? wait, string expected)
    {
        var context = new DefaultHttpContext();
        new Preference(respondAsync, wait is { } seconds ? TimeSpan.FromSeconds(seconds) : null).SetApplied(context.Response);
        Assert.Equal(expected, context.Response.Headers["Preference-Applied"].ToString());
    }
}
