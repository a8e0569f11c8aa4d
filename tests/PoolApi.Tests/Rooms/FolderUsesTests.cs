namespace PoolApi.Tests.Rooms;

/// <summary>What <see cref="FolderUses"/> counts as a use between folders, on rooms of two files.</summary>
public sealed class FolderUsesTests
{
    private const string Used = "namespace PoolApi.Room.Low; internal sealed class Thing { } internal static class Things { public static void Shake(this object o) { } }";

    [Theory]
    [InlineData("class User { Thing _thing; }")] // in a namespace around the file
    [InlineData("class User { Low.Thing _thing; }")]
    [InlineData("class User { PoolApi.Room.Low.Thing _thing; }")]
    [InlineData("class User { global::PoolApi.Room.Low.Thing _thing; }")]
    [InlineData("class User { List<Thing> _things; }")]
    [InlineData("class User : Base<int, Thing> { }")]
    [InlineData("class User { string Name => $\"of {nameof(Thing)}\"; }")]
    [InlineData("class User { string Name => $$\"\"\"{ {{nameof(Thing)}} }\"\"\"; }")]
    [InlineData("class User { string Name => $@\"\\{{{new Thing()}\"; }")]
    [InlineData("class User { char C => '\"'; Thing _thing; }")]
    [InlineData("class User { string Name => @\"\"\"\" + nameof(Thing) + @\"\"\"\"; }")]
    [InlineData("class User { void M() => this.Shake(); }")]
    public void A_file_that_names_a_type_of_another_folder_uses_that_folder(string user)
    {
        string around = user.Contains("Low", StringComparison.Ordinal) ? "PoolApi.Room.High" : "PoolApi.Room.Low.High";
        Assert.Contains(UsesOf($"namespace {around}; {user}"), static use => use is { From: "High", To: "Low", IsPublic: false });
    }

    [Theory]
    [InlineData("class User { } // Thing")]
    [InlineData("class User { } /* a\n Thing */")]
    [InlineData("/// <see cref=\"Thing\"/>\nclass User { }")]
    [InlineData("class User { string Name => \"a \\\" Thing\"; }")]
    [InlineData("class User { string Name => @\"\\\"; string Other => \"Thing\"; }")]
    [InlineData("class User { string Name => \"\"\"a \" Thing\"\"\"; }")]
    [InlineData("class User { string Name => @\"\"\" Thing\"\"\"; }")]
    [InlineData("class User { string Name => $\"{{Thing}}\"; }")]
    [InlineData("class User { string Name => $$\"\"\"{Thing}\"\"\"; }")]
    [InlineData("class User { int N => Other.Thing; }")]
    [InlineData("enum User { First, Thing, Last }")]
    [InlineData("enum User { Thing = 1 }")]
    [InlineData("class Thing { } class User { Thing _own; }", "PoolApi.Room.High")]
    [InlineData("class User { Thing _elsewhere; }", "PoolApi.Room.High")]
    public void A_file_that_does_not_name_a_type_of_another_folder_uses_none(string user, string around = "PoolApi.Room.Low.High") =>
        Assert.Empty(UsesOf($"namespace {around}; {user}"));

    [Theory]
    [InlineData("using PoolApi.Room.Low;\nnamespace PoolApi.Room.High; class User { Thing _thing; }")]
    [InlineData("using Alias = PoolApi.Room.Low.Thing;\nnamespace PoolApi.Room.High; class User { Alias _thing; }")]
    [InlineData("using Alias = System.Collections.Generic.List<PoolApi.Room.Low.Thing>;\nnamespace PoolApi.Room.High; class User { Alias _things; }")]
    [InlineData("using static PoolApi.Room.Low.Things;\nnamespace PoolApi.Room.High; class User { void M() => Shake(this); }")]
    public void A_file_that_imports_a_type_or_alias_of_another_folder_uses_that_folder(string user) =>
        Assert.Contains(UsesOf(user), static use => use is { From: "High", To: "Low" });

    [Theory]
    [InlineData("<Using Include=\"PoolApi.Room.Low\" />")]
    [InlineData("<Using Include=\"PoolApi.Room.Low.Thing\" Alias=\"Other\" />")]
    [InlineData("<Using Include=\"PoolApi.Room.Low.Things\" Static=\"true\" />")]
    public void A_Using_item_of_the_project_is_an_import_of_every_folder(string item) =>
        Assert.Contains(
            UsesOf("namespace PoolApi.Room.High; class User { }", $"<Project><ItemGroup>{item}</ItemGroup></Project>"), static use => use is { From: "High", To: "Low" });

    [Fact]
    public void A_global_using_is_an_import_of_every_folder()
    {
        var uses = new FolderUses(
        [
            ("Low/Thing.cs", Used), ("High/User.cs", "namespace PoolApi.Room.High; class User { }"),
            ("Usings.cs", "global using Alias = PoolApi.Room.Low.Thing;\n"),
        ], []);
        Assert.Contains(uses.All, static use => use is { From: "High", To: "Low" });
    }

    [Fact]
    public void The_innermost_namespace_decides_between_types_of_one_name()
    {
        var uses = new FolderUses(
        [
            ("Low/Thing.cs", Used), ("Far/Thing.cs", "namespace PoolApi.Room; public class Thing { }"),
            ("High/User.cs", "namespace PoolApi.Room.Low.High; class User { Thing _thing; }"),
        ], []);
        Assert.Equal([new FolderUse("High", "Low", "User.cs", "Thing", false)], uses.All);
    }

    [Fact]
    public void A_folder_and_its_subfolder_are_two_folders()
    {
        var uses = new FolderUses(
        [
            ("Low/Thing.cs", "namespace PoolApi.Room.Low; class Thing { Deep.Part _part; }"),
            ("Low/Deep/Part.cs", "namespace PoolApi.Room.Low.Deep; class Part { Thing _whole; }"),
        ], []);
        Assert.Equal([("Low", "Low/Deep"), ("Low/Deep", "Low")], uses.All.Select(static use => (use.From, use.To)));
    }

    private static IEnumerable<FolderUse> UsesOf(string user, params string[] projects) => new FolderUses([("Low/Thing.cs", Used), ("High/User.cs", user)], projects).All;
}
