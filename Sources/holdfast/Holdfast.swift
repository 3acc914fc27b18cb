import Commands

@main
struct Holdfast {
  static func main() { Program.main() }
}
